"""Geohash as it is defined, to hold Sedona's against."""

_ALPHABET = "0123456789bcdefghjkmnpqrstuvwxyz"


def geohash(longitude: float, latitude: float, precision: int) -> str:
    bounds = {"x": [-180.0, 180.0], "y": [-90.0, 90.0]}
    bits = ""
    for index in range(precision * 5):
        axis, value = ("x", longitude) if index % 2 == 0 else ("y", latitude)
        low, high = bounds[axis]
        middle = (low + high) / 2
        upper = value >= middle
        bounds[axis] = [middle, high] if upper else [low, middle]
        bits += "1" if upper else "0"
    return "".join(_ALPHABET[int(bits[at : at + 5], 2)] for at in range(0, len(bits), 5))
