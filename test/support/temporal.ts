import { temporal } from '@temporalio/proto';
import { TestWorkflowEnvironment } from '@temporalio/testing';
import { DefaultLogger, Runtime } from '@temporalio/worker';
import { SEARCH_ATTRIBUTES } from '../../domain/search-attribute-names';
import {
  intervalAttribute,
  jobRunAttribute,
  outcomeAttribute,
  pipelineAttribute,
  stageAttribute,
  versionAttribute,
} from '../../workflows/search-attributes';

/** A real dev server of Temporal on a free port of loopback, in memory, with Meridian's search attributes. */
export async function startTestEnvironment(): Promise<TestWorkflowEnvironment> {
  Runtime.install({ logger: new DefaultLogger('ERROR') }); // once a process: a test file is one
  return TestWorkflowEnvironment.createLocal({
    server: {
      executable: { type: 'existing-path', path: required('MERIDIAN_TEMPORAL') },
      searchAttributes: [pipelineAttribute, intervalAttribute, stageAttribute, outcomeAttribute, jobRunAttribute, versionAttribute],
    },
  });
}

/** The time-skipping server takes no search attributes when it starts. */
export async function addSearchAttributes(environment: TestWorkflowEnvironment): Promise<void> {
  const { INDEXED_VALUE_TYPE_INT, INDEXED_VALUE_TYPE_KEYWORD } = temporal.api.enums.v1.IndexedValueType;
  await environment.connection.operatorService.addSearchAttributes({
    namespace: 'default',
    searchAttributes: Object.fromEntries(
      Object.entries(SEARCH_ATTRIBUTES).map(([name, type]) => [name, type === 'Int' ? INDEXED_VALUE_TYPE_INT : INDEXED_VALUE_TYPE_KEYWORD]),
    ),
  });
}

/** What test/run.ts sets after it has brought the tools. */
export function required(name: string): string {
  const value = process.env[name];
  if (value === undefined) throw new Error(`${name} is not set: run the tests by \`npm test\` (one file: \`npm test -- <path>\`)`);
  return value;
}
