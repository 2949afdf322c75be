/** One exact replacement in the product's source. */
export interface Edit {
  /** From the root of the checkout. */
  readonly file: string;
  /** Occurs exactly once in the file. */
  readonly find: string;
  /** Does not contain `find`. */
  readonly replace: string;
}

/** A mistake that somebody could honestly make, and the scenario that shows it; on the code as it is that scenario is clean. */
export interface PlantedBug {
  readonly name: string;
  /** More than one where the product holds the same line twice: each alone is then no bug yet. */
  readonly edits: readonly Edit[];
  readonly cell: string;
  readonly seed: number;
  /** In one of the violations that the scenario reports. */
  readonly caughtBy: RegExp;
  /** For a night that will be stuck: how long to wait for it. Default 150. */
  readonly nightSeconds?: number;
}

const ANY_NIGHT = 'discover/list the raw bucket/500';
const REJECTED = 'check/start the quality run/gate fail-rule';

export const PLANTED_BUGS: readonly PlantedBug[] = [
  {
    name: 'random token',
    edits: [{ file: 'activities/spark.ts', find: '    clientToken: token,\n    executionRoleArn', replace: '    clientToken: globalThis.crypto.randomUUID(),\n    executionRoleArn' }],
    cell: 'transform/start the job run/worker SIGKILL/after',
    seed: 1,
    caughtBy: /^I5: 2 runs were started for emr transform/,
  },
  {
    name: 'drop before switch',
    edits: [
      {
        file: 'activities/swap.ts',
        find: 'return await attempt(pool, swapStatement(swap), (error) => notPromoted(error, swap));',
        replace:
          'for (const { view } of swap.targets) await pool.query(`drop view if exists public.${view}`);\n' +
          '  return await attempt(pool, { ...swapStatement(swap) }, (error) => notPromoted(error, swap));',
      },
    ],
    cell: 'promote/repoint the views/connection cut/before',
    seed: 1,
    caughtBy: /^I3: .* reads were failed/,
  },
  {
    name: 'no fence at the promotion',
    edits: [
      {
        file: 'sql/migrations/0003-promote.ts',
        find: 'where t.dataset = p_dataset and t.epoch = p_epoch and t.holder_run_id is not null for share',
        replace: 'where t.dataset = p_dataset for share',
      },
    ],
    cell: 'promote/repoint the views/terminate; its call arrives at "raise the fence"',
    seed: 1,
    caughtBy: /^(I1|I4|I7|night 3 ended failed)/,
  },
  {
    name: 'no fence at the ledger',
    edits: [
      { file: 'activities/ledger/commit.ts', find: "ConditionExpression: 'epoch = :epoch'", replace: "ConditionExpression: 'attribute_exists(epoch) or epoch = :epoch'" },
      { file: 'activities/ledger/chunk-commit.ts', find: '    notVoided(table, item.cycle),\n', replace: '' },
    ],
    cell: 'dedup/commit a chunk/terminate; its call arrives at "list the raw bucket"',
    seed: 2,
    caughtBy: /^I7: .*live chunk\(s\) of a generation that was given up/,
  },
  {
    name: 'ledger without version check',
    edits: [
      {
        file: 'activities/ledger/date-log.ts',
        find: "return { Put: { TableName: tableName, Item: item, ConditionExpression: 'attribute_not_exists(pk)' } };",
        replace: 'return { Put: { TableName: tableName, Item: item } };',
      },
      {
        file: 'activities/ledger/chunk-commit.ts',
        find: "Put: { TableName: table.name, Item: encodeChunkItem(item), ConditionExpression: 'attribute_not_exists(pk)' },",
        replace: 'Put: { TableName: table.name, Item: encodeChunkItem(item) },',
      },
    ],
    cell: 'dedup/commit a chunk/worker SIGKILL; its call arrives at "commit a chunk"',
    seed: 1,
    caughtBy: /^I7: .* storage file\(s\) that nobody knows of/,
  },
  {
    name: 'gate error taken for pass',
    edits: [{ file: 'workflows/quality-gate.ts', find: "rule.result !== 'PASS'", replace: "rule.result === 'FAIL'" }],
    cell: 'check/start the quality run/gate error-rule',
    seed: 1,
    caughtBy: /^I4: promotion 2 .* did not pass its gate/,
  },
  {
    name: 'no snapshot wait',
    edits: [
      {
        file: 'activities/promotion.ts',
        find: 'const result = await waitForSnapshots(db, spec.promotion.snapshotWaitMinutes * 60_000);',
        replace: "const result: SnapshotWait = { outcome: 'clear', waitedMs: 0 };",
      },
    ],
    cell: 'promote/repoint the views/a reader keeps an older snapshot',
    seed: 1,
    caughtBy: /I3: the reader in the way saw 0 rows of one/,
  },
  {
    name: 'publish before promote',
    edits: [
      {
        file: 'workflows/etl-cycle.ts',
        find: "await table.run('promote', (detail) => promoteCandidates(",
        replace: "await data.markObjects({ cycle, spec, state: 'loaded' });\n  await table.run('promote', async (detail) => promoteCandidates(",
      },
    ],
    cell: 'promote/look for older snapshots/terminate/before',
    seed: 1,
    caughtBy: /^I1: .* record\(s\) lost from the view/,
  },
  {
    name: 'swallowed cancellation',
    edits: [
      {
        file: 'activities/poll-until.ts',
        find: 'throw error instanceof CancelledFailure ? error : new CancelledFailure(`${what}: wait cancelled`);',
        replace: 'return error instanceof CancelledFailure ? new Promise((resolve) => setTimeout(resolve, waitMs)) : undefined;',
      },
    ],
    cell: 'transform/ask for the job run/cancel, of a job that takes minutes',
    seed: 1,
    caughtBy: /^(I8: night 2 is stuck|night 2 ended failed, expected cancelled)/,
    nightSeconds: 45,
  },
  {
    name: 'part loaded twice',
    edits: [{ file: 'activities/load-part.ts', find: 'if (!(await claimPart(trx, candidate, part))) return false;', replace: 'await claimPart(trx, candidate, part);' }],
    cell: 'load/commit a part/attempt timed out; its call arrives at "claim a part"',
    seed: 1,
    caughtBy: /^night 2 ended failed.* is not what the job wrote/,
  },
  {
    name: 'ledger row after COPY',
    edits: [
      { file: 'activities/load-part.ts', find: '        if (!(await claimPart(trx, candidate, part))) return false;\n', replace: '' },
      {
        file: 'activities/load-part.ts',
        find: '    failed = false;\n    return loaded;',
        replace: '    await claimPart(onClient(client), candidate, part);\n    failed = !loaded;\n    return loaded;',
      },
    ],
    cell: 'load/claim a part/connection cut/before',
    seed: 1,
    caughtBy: /^night 2 ended failed.* is not what the job wrote/,
  },
  {
    name: 'TTL trusted',
    edits: [{ file: 'activities/ledger/date-log.ts', find: ' && entry.ttl > nowMs / 1000', replace: '' }],
    cell: 'transform/start the job run/cancel; its log entries expire, half of them are deleted/before',
    seed: 1,
    caughtBy: /^I1: .* record\(s\) lost from storage/,
  },
  {
    name: 'quarantine dropped',
    edits: [{ file: 'activities/ledger/chunk-attempt.ts', find: '    ...quarantined.map((file) => [place.quarantine, file] as const),\n', replace: '' }],
    cell: ANY_NIGHT,
    seed: 1,
    caughtBy: /^I1: .* bad line\(s\) lost from quarantine/,
  },
  {
    name: 'epoch not raised',
    edits: [{ file: 'sql/queries/turns.ts', find: 'epoch: seen.epoch + 1,', replace: 'epoch: Math.max(seen.epoch, 1),' }],
    cell: 'dedup/commit a chunk/terminate/before',
    seed: 1,
    caughtBy: /^I7: .* open cycle record/,
  },
  {
    name: 'turn taken from a live holder',
    edits: [
      {
        file: 'activities/cycles.ts',
        find: 'return holder === undefined || (await isExecutionClosed(holder.workflowId, holder.runId));',
        replace: 'return holder === undefined || holder.runId.length > 0;',
      },
    ],
    cell: 'dedup/commit a chunk/the next night starts/before',
    seed: 1,
    caughtBy: /^night 2 ended failed/,
  },
  {
    name: 'turn released before void',
    edits: [
      {
        file: 'workflows/settle.ts',
        find: '  await settleOlderJobs(await short.openJobs({ cycle }));',
        replace: '  if (epoch > 0) await short.releaseTurn({ cycle, epoch });\n  await settleOlderJobs([...(await short.openJobs({ cycle }))]);',
      },
    ],
    cell: 'load/COPY a part/the next night starts, cancel',
    seed: 1,
    caughtBy: /^night 2 ended failed/,
  },
  {
    name: 'sealed generation ignored',
    edits: [{ file: 'sql/migrations/0003-promote.ts', find: 'select coalesce(c.sealed_at, c.closed_at) into strict', replace: 'select c.closed_at into strict' }],
    cell: 'promote/repoint the views/cancel, attempt timed out; its call arrives at "commit a chunk"',
    seed: 1,
    caughtBy: /^(I1|I4|I7)/,
  },
  {
    name: 'notification without claim',
    edits: [
      {
        file: 'activities/publication.ts',
        find: 'if (!(await deps.claimNotification(outcomeId))) return { announced: false };',
        replace: 'await deps.claimNotification(outcomeId);',
      },
    ],
    cell: 'publish/confirm the notification/worker SIGKILL/after',
    seed: 1,
    caughtBy: /^I9: 1 message\(s\) repeat/,
  },
  {
    name: 'conservation not checked',
    edits: [{ file: 'workflows/stages.ts', find: 'if (faults.length > 0) {', replace: 'if (faults.length > 7) {' }],
    cell: 'check/start the quality run/gate wrong-count',
    seed: 1,
    caughtBy: /^night 2 ended promoted, expected failed/,
  },
  {
    name: 'missing result taken for pass',
    edits: [{ file: 'activities/data-quality.ts', find: "result: 'ERROR', message: 'Glue gave no result for this rule'", replace: "result: 'PASS', message: 'Glue gave no result for this rule'" }],
    cell: 'check/start the quality run/gate missing-rule',
    seed: 1,
    caughtBy: /^I4: promotion 2 .* did not pass its gate/,
  },
  {
    name: 'rejected chunks left live',
    edits: [{ file: 'workflows/etl-cycle.ts', find: '    await data.voidCycle({ cycle, spec, epoch, keepQuarantine: true });\n', replace: '' }],
    cell: REJECTED,
    seed: 1,
    caughtBy: /^I7: .*live chunk\(s\) of a generation that was given up/,
  },
  {
    name: 'set-aside not marked',
    edits: [
      {
        file: 'workflows/etl-cycle.ts',
        find: "    await data.markObjects({ cycle, spec, state: 'set-aside', ...(report.reason === undefined ? {} : { verdict: report.reason }) });\n",
        replace: '',
      },
    ],
    cell: REJECTED,
    seed: 1,
    caughtBy: /^I1: .* which was rejected, that are not set aside/,
  },
  {
    name: 'body not held against its checksum',
    edits: [{ file: 'activities/s3-download.ts', find: 'checkingStream(object, expectedMd5(response))', replace: 'checkingStream(object, undefined)' }],
    cell: 'dedup/read a raw object/body altered, no checksum',
    seed: 1,
    caughtBy: /^I1/,
  },
  {
    name: 'UnprocessedItems taken for written',
    edits: [{ file: 'activities/batches/objects-table.ts', find: 'rest = UnprocessedItems?.[table] ?? [];', replace: 'rest = UnprocessedItems === undefined ? rest : [];' }],
    cell: 'publish/mark the objects/UnprocessedItems',
    seed: 1,
    caughtBy: /^I1: .* not marked loaded/,
  },
  {
    name: 'a generation for each try',
    edits: [{ file: 'activities/cycles.ts', find: '(await findGenerationOfRun(db, input)) ?? (await insertGeneration(db, input))', replace: 'await insertGeneration(db, input)' }],
    cell: 'resolve/open the cycle/worker SIGKILL/after',
    seed: 1,
    // The record takes one generation a run, so the second try is refused for ever.
    caughtBy: /^I8: night 2 is stuck/,
    nightSeconds: 60,
  },
  {
    name: 'voided chunks counted as storage',
    edits: [{ file: 'activities/ledger/live-files.ts', find: "if (chunk.state === 'committed') chunks.push(chunk);", replace: 'chunks.push(chunk);' }],
    cell: 'transform/ask for the job run/cancel/before',
    seed: 1,
    caughtBy: /^night 3 ended failed/,
  },
  {
    name: 'job of a dead night left running',
    edits: [{ file: 'activities/spark.ts', find: 'if (jobRunId !== undefined) await cancelAndConfirm(deps, getJobRun, jobRunId);', replace: '' }],
    cell: 'transform/ask for the job run/terminate, of a job that takes minutes',
    seed: 1,
    caughtBy: /^I7: .*it costs money/,
  },
  {
    name: 'unchanged days copied twice',
    edits: [
      { file: 'activities/copy-days.ts', find: 'if (!(await claimPart(trx, candidate, part))) return false;', replace: 'await claimPart(trx, candidate, part);' },
      { file: 'activities/load.ts', find: 'steps.filter((step) => !done.has(step.uri)),', replace: "steps.filter((step) => step.uri.startsWith('postgresql:') || !done.has(step.uri))," },
    ],
    cell: 'refresh by day/load/commit unchanged days/connection cut/after',
    seed: 1,
    caughtBy: /^night 2 ended failed/,
  },
  {
    name: 'unchanged days claimed before their transaction',
    edits: [
      { file: 'activities/copy-days.ts', find: '        if (!(await claimPart(trx, candidate, part))) return false;\n', replace: '' },
      {
        file: 'activities/copy-days.ts',
        find: '  return await withCancellableClient(pool, (client) =>\n    onClient(client)\n',
        replace: '  return await withCancellableClient(pool, async (client) =>\n    (await claimPart(onClient(client), candidate, part)) &&\n    await onClient(client)\n',
      },
    ],
    cell: 'refresh by day/load/copy unchanged days/connection cut/after',
    seed: 1,
    caughtBy: /^night 2 ended failed/,
  },
  {
    name: 'Spark told of nothing that is seen',
    edits: [{ file: 'activities/dedup-job/prepare.ts', find: '      [...seen].map(([eventDate, files]) =>', replace: '      [...seen].slice(0, 0).map(([eventDate, files]) =>' }],
    cell: 'dedup by Spark/dedup/write the dedup input/500',
    seed: 1,
    // Its repeats are stored twice, which the gate's unique key refuses.
    caughtBy: /^I1: .* was rejected/,
  },
];
