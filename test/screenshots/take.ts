import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { cycleWorkflowId } from '../../domain/cycle';
import { cycleDetails } from '../../domain/cycle-details';
import type { PipelineSpec } from '../../domain/pipeline-spec';
import type { CycleProgress } from '../../domain/progress';
import { findProcess } from '../../infra/local/processes';
import { TEMPORAL } from '../../infra/local/temporal';
import { Lab } from '../faults/lab';
import { faultPipeline } from '../faults/pipeline';
import { nightEnd, type RawUpload, rawNight } from '../faults/raw-night';
import { Browser } from './browser';

const FOLDER = join(__dirname, '..', '..', 'docs', 'screenshots');
const BASE = { ...faultPipeline('vessel-positions'), description: 'Positions of vessels, an invented fleet' };
const SPEC: PipelineSpec = { ...BASE, quality: { ...BASE.quality, hold: { deadlineMinutes: 60, atDeadline: 'reject', remindEveryMinutes: 30 } } };
const NIGHTS = 3;
/** Of the list of workflows: what a team would choose. */
const COLUMNS = ['Status', 'Workflow ID', 'MeridianStage', 'MeridianOutcome', 'Start'];
const SIZE = { width: 1_400, height: 900 };
const LIST_HEIGHT = 420;
const HELD_LIMIT_MS = 120_000;

/** `npm run screenshots`: nights on engines of their own, the last one held by its gate, as Temporal's Web UI shows them. */
async function take(): Promise<void> {
  const lab = await Lab.start([SPEC]);
  try {
    const held = await runNights(lab);
    const browser = await Browser.start(SIZE.width, SIZE.height);
    try {
      mkdirSync(FOLDER, { recursive: true });
      const ui = `http://127.0.0.1:${findProcess(lab.engines.home, TEMPORAL)?.settings['uiPort']}/namespaces/default/workflows`;
      await browser.open(ui);
      await browser.until(`document.body.innerText.includes('${held}')`);
      await browser.evaluate(`localStorage.setItem('namespace-workflow-table-columns', JSON.stringify({ default: ${JSON.stringify(COLUMNS.map((label) => ({ label })))} }))`);
      await browser.open(ui);
      await browser.until(`document.body.innerText.includes('MeridianOutcome') && document.body.innerText.includes('${held}')`);
      save('workflows', await browser.screenshot(SIZE.width, LIST_HEIGHT));
      const run = (await lab.access.temporal.workflow.getHandle(held).describe()).runId;
      await browser.open(`${ui}/${encodeURIComponent(held)}/${run}/user-metadata`);
      // Markdown has a frame of its own.
      await browser.until(`[...document.querySelectorAll('iframe')].some((frame) => frame.contentDocument?.body?.innerText.includes('What you may do'))`);
      save('cycle', await browser.screenshot(SIZE.width, SIZE.height));
    } finally {
      await browser.stop();
    }
  } finally {
    await lab.stop();
  }
}

async function runNights(lab: Lab): Promise<string> {
  const uploads: RawUpload[] = [];
  for (let night = 1; ; night += 1) {
    const intervalEnd = nightEnd(night);
    const added = rawNight(SPEC.name, night, 1, uploads);
    uploads.push(...added);
    await lab.upload(added);
    if (night === NIGHTS) await lab.script(SPEC, night, { check: { added: { outcome: 'fail-rule' } } });
    const handle = await lab.access.temporal.workflow.start('etlCycle', {
      workflowId: cycleWorkflowId(SPEC.name, intervalEnd),
      taskQueue: 'meridian',
      args: [{ pipeline: SPEC.name, intervalEnd }],
      staticSummary: `${SPEC.name} until ${intervalEnd}`,
      staticDetails: cycleDetails(SPEC, intervalEnd),
    });
    if (night < NIGHTS) await handle.result();
    else {
      for (const deadline = Date.now() + HELD_LIMIT_MS; ; await sleep(200)) {
        const { stages } = await handle.query<CycleProgress>('progress');
        if (stages.some(({ detail }) => detail?.startsWith('held') === true)) return handle.workflowId;
        if (Date.now() > deadline) throw new Error(`${handle.workflowId} is not held: ${JSON.stringify(stages)}`);
      }
    }
  }
}

function save(name: string, png: Buffer): void {
  const path = join(FOLDER, `${name}.png`);
  writeFileSync(path, png);
  process.stdout.write(`${path}: ${Math.round(png.length / 1_024)} KiB\n`);
}

take().catch((error: unknown) => {
  process.exitCode = 1;
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
});
