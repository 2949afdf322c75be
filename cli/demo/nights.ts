import type { CycleOutcome } from '../../domain/cycle';
import { badNight } from './bad-night';
import { firstNight, secondNight } from './good-nights';
import type { DeliveredObject } from './raw-object';
import type { TrafficSamples } from './traffic-wheel';

/** What arrives in one interval of the demo, and what the cycle must make of it. */
export interface DemoNight {
  /** RFC 3339. */
  readonly intervalEnd: string;
  readonly title: string;
  readonly expectedOutcome: CycleOutcome;
  readonly objects: readonly DeliveredObject[];
}

/** The demo's three nights; the same bytes each time. */
export function demoNights(samples: TrafficSamples): readonly DemoNight[] {
  return [
    {
      intervalEnd: '2018-08-02T00:00:00Z',
      title: 'first half of a day over Switzerland',
      expectedOutcome: 'promoted',
      objects: firstNight(samples.switzerland),
    },
    {
      intervalEnd: '2018-08-03T00:00:00Z',
      title: 'second half, and the last hours of the first again',
      expectedOutcome: 'promoted',
      objects: secondNight(samples.switzerland),
    },
    {
      intervalEnd: '2019-11-30T00:00:00Z',
      title: 'ground positions without speed, late, from the future, damaged',
      expectedOutcome: 'rejected',
      objects: badNight(samples.zurichAirport, samples.aircraftCarrier),
    },
  ];
}
