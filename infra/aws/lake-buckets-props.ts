import type { LakeKey } from './lake-key';

/** What the zones are encrypted with. */
export interface LakeBucketsProps {
  readonly key: LakeKey;
}
