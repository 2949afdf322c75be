"""A job's work is done once: its manifest, written last, says that it is."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any, Callable, Sequence

from .s3 import delete_objects, in_parallel, list_uris, put_object
from .uploads import abort_all


def run_once(manifest_uri: str, prefixes: Sequence[str], work: Callable[[], None]) -> None:
    """Does the work unless the manifest is there; what an earlier attempt left without one is cleared away first. A failure ends
    the uploads that it leaves.

    @param prefixes - URIs that the name of whatever the work writes begins with, the manifest's among them
    """
    leftovers = in_parallel(lambda prefix: list(list_uris(prefix)), prefixes)
    if any(manifest_uri in uris for uris in leftovers):
        print(f"{manifest_uri} is there already: nothing to do")
        return
    in_parallel(delete_objects, leftovers)  # list by list: each is of one bucket
    in_parallel(abort_all, prefixes)
    try:
        work()
    except BaseException:
        with suppress(Exception):  # the failure itself is what must be seen; the bucket's own rule ends uploads that are left
            in_parallel(abort_all, prefixes)
        raise


def put_manifest(uri: str, manifest: dict[str, Any]) -> None:
    """@raises ClientError `PreconditionFailed` when another attempt was faster"""
    put_object(uri, json.dumps(manifest, indent=1).encode(), ContentType="application/json", IfNoneMatch="*")
