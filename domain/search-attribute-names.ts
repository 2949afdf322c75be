/** Meridian's search attributes and their types, as a namespace must know them. */
export const SEARCH_ATTRIBUTES = {
  MeridianPipeline: 'Keyword',
  MeridianInterval: 'Keyword',
  MeridianStage: 'Keyword',
  MeridianOutcome: 'Keyword',
  MeridianJobRunId: 'Keyword',
  MeridianVersion: 'Int',
} as const;
