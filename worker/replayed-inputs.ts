import type { DataConverter } from '@temporalio/common';
import { loadDataConverter } from '@temporalio/common/lib/internal-non-workflow';
import { decodeArrayFromPayloads } from '@temporalio/common/lib/internal-non-workflow/codec-helpers';
import type { History } from '@temporalio/common/lib/proto-utils';
import type { InjectedSinks } from '@temporalio/worker';
import { keyPaths } from '../domain/key-paths';
import type { ScheduledInputsSinks } from '../workflows/scheduled-inputs';

/** An activity that today's code gives other keys than were recorded. Keys only: what they hold is nobody's business here. */
export interface InputDifference {
  readonly eventId: number;
  readonly activity: string;
  /** An attempt that was scheduled before the upgrade comes without these. */
  readonly added: readonly string[];
  /** It comes with these, and nobody may read them any more. */
  readonly removed: readonly string[];
}

/** Hears from workflows/scheduled-inputs.ts what the code that is replayed gives its activities. */
export class InputRecorder {
  private readonly keysOf = new Map<string, readonly string[]>();

  readonly sinks: InjectedSinks<ScheduledInputsSinks> = {
    scheduledInputs: {
      scheduled: { fn: (_workflow, activityId, keys) => void this.keysOf.set(activityId, keys), callDuringReplay: true },
    },
  };

  clear(): void {
    this.keysOf.clear();
  }

  /** Holds what was heard since `clear` against the activities of a history that replayed. */
  async differences({ events }: History, dataConverter: DataConverter | undefined): Promise<readonly InputDifference[]> {
    const converter = loadDataConverter(dataConverter);
    const differences: InputDifference[] = [];
    for (const { eventId, activityTaskScheduledEventAttributes: scheduled } of events ?? []) {
      const today = this.keysOf.get(scheduled?.activityId ?? '');
      if (scheduled == null || today === undefined) continue;
      const [input] = await decodeArrayFromPayloads(converter, scheduled.input?.payloads);
      const recorded = keyPaths(input);
      const added = today.filter((key) => !recorded.has(key));
      const removed = [...recorded].filter((key) => !today.includes(key));
      if (added.length + removed.length > 0) {
        differences.push({ eventId: Number(eventId), activity: scheduled.activityType?.name ?? '', added, removed });
      }
    }
    return differences;
  }
}
