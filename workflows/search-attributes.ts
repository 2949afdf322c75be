import { defineSearchAttributeKey, SearchAttributeType } from '@temporalio/common';

/** What cycles can be listed by. Registered by the local stack; on Temporal Cloud once, by hand (docs/operations). */
export const pipelineAttribute = defineSearchAttributeKey('MeridianPipeline', SearchAttributeType.KEYWORD);
export const intervalAttribute = defineSearchAttributeKey('MeridianInterval', SearchAttributeType.KEYWORD);
export const stageAttribute = defineSearchAttributeKey('MeridianStage', SearchAttributeType.KEYWORD);
export const outcomeAttribute = defineSearchAttributeKey('MeridianOutcome', SearchAttributeType.KEYWORD);
export const jobRunAttribute = defineSearchAttributeKey('MeridianJobRunId', SearchAttributeType.KEYWORD);
export const versionAttribute = defineSearchAttributeKey('MeridianVersion', SearchAttributeType.INT);
/** Set by a Schedule on what it starts: the tick, which is the interval's end. */
export const scheduledStartAttribute = defineSearchAttributeKey('TemporalScheduledStartTime', SearchAttributeType.DATETIME);
