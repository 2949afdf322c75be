import type { LakeKey } from './lake-key';

/** What the tables are encrypted with. */
export interface DedupTablesProps {
  readonly key: LakeKey;
}
