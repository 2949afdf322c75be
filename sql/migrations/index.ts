import type { Migration } from 'kysely/migration';
import * as cycleRecord from './0001-cycle-record';
import * as versions from './0002-versions';
import * as promote from './0003-promote';
import * as rollback from './0004-rollback';
import * as cyclePriority from './0005-cycle-priority';
import * as reruns from './0006-reruns';
import * as refreshByDay from './0007-refresh-by-day';

/** Applied in name order. Append only: a migration that was released is never edited. */
export const migrations: Readonly<Record<string, Migration>> = {
  '0001-cycle-record': cycleRecord,
  '0002-versions': versions,
  '0003-promote': promote,
  '0004-rollback': rollback,
  '0005-cycle-priority': cyclePriority,
  '0006-reruns': reruns,
  '0007-refresh-by-day': refreshByDay,
};
