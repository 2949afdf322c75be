import type { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import type { EMRServerlessClient } from '@aws-sdk/client-emr-serverless';
import type { GlueClient } from '@aws-sdk/client-glue';
import type { S3Client } from '@aws-sdk/client-s3';
import type { Client } from '@temporalio/client';
import type { Pool } from 'pg';
import type { PipelineSpec } from '../../../domain/pipeline-spec';
import type { WorkerConfig } from '../../../worker/config';
import type { RawUpload } from '../raw-night';
import type { OutcomeMessage } from './outcome-queue';

/** How the auditor reaches the engines: never through the harness's proxies, and as nobody whom the product knows. */
export interface AuditAccess {
  readonly s3: S3Client;
  readonly dynamodb: DynamoDBClient;
  readonly emr: EMRServerlessClient;
  readonly glue: GlueClient;
  /** A superuser of the database that serves. */
  readonly pool: Pool;
  readonly temporal: Client;
  /** What the worker calls buckets, tables and applications. */
  readonly names: Pick<WorkerConfig, 'buckets' | 'ledgerTable' | 'objectsTable' | 'emrApplicationId' | 'glueDatabase'>;
}

/** What a night must have come to; `any` where the fault leaves more than one right end. */
export type ExpectedOutcome = 'promoted' | 'rejected' | 'failed' | 'cancelled' | 'terminated' | 'blocked' | 'empty' | 'any';

export interface AuditedNight {
  /** RFC 3339. */
  readonly intervalEnd: string;
  /** The execution's own id, also where it only delegated. */
  readonly workflowId: string;
  readonly expected: ExpectedOutcome;
  /** What stood in the raw bucket for this night, whether or not a cycle came to read it. */
  readonly uploads: readonly RawUpload[];
}

/** Sums over all readers of the pipeline's views. */
export interface ReadersSummary {
  readonly reads: number;
  readonly failed: number;
  readonly empty: number;
  readonly mixed: number;
  readonly stale: number;
}

/** One scenario that has ended, by the names of its own pipeline. Its last night must have promoted. */
export interface AuditSubject {
  readonly spec: PipelineSpec;
  readonly access: AuditAccess;
  readonly nights: readonly AuditedNight[];
  readonly readers?: ReadersSummary;
  /** Every message of the outcome topic; those of other pipelines are left out here. Absent: I9 is not judged by messages. */
  readonly outcomes?: readonly OutcomeMessage[];
  /** The scenario lost an answer of SNS, or killed a worker: one outcome may have been told twice, under one id. */
  readonly lostNotification?: boolean;
  readonly workers: {
    readonly workDirs: readonly string[];
    /** One still runs: its temporary files and open transactions are its own business. */
    readonly running: boolean;
    /** One was killed: its scratch folders stay for a day. */
    readonly killed: boolean;
  };
  /** Where the bundle for the replay is kept. */
  readonly bundleDir: string;
}

export type Invariant = 'I1' | 'I2' | 'I3' | 'I4' | 'I5' | 'I6' | 'I7' | 'I8' | 'I9' | 'X2';

export interface Violation {
  readonly invariant: Invariant;
  /** What was expected and what was found, with a few of the things by name. */
  readonly message: string;
}

export interface AuditReport {
  readonly violations: readonly Violation[];
  readonly counts: AuditCounts;
}

export interface AuditCounts {
  /** Distinct records that must be stored and served. */
  readonly records: number;
  /** Of these, absent from storage or from the view. */
  readonly lost: number;
  /** Rows beyond the first of a key, in storage or in the view. */
  readonly duplicated: number;
  /** Lines that must be in quarantine. */
  readonly quarantined: number;
  readonly reads: number;
  /** Failed, empty, mixed or stale. */
  readonly badReads: number;
  readonly promotions: number;
  readonly generations: number;
  readonly jobs: number;
  readonly jobsPerTokenMax: number;
  /** Storage objects that no live chunk names, and that an announcement or a voided chunk does. */
  readonly lingeringFiles: number;
  /** Partitions that the gate's table still has in the catalog. */
  readonly gatePartitions: number;
  /** Scratch folders that killed workers left. */
  readonly scratchFolders: number;
  readonly histories: number;
  readonly longestHistory: number;
  readonly notifications: number;
  /** Messages beyond the first with the same outcome id. */
  readonly repeatedNotifications: number;
}

/** What one invariant's file found. */
export interface Finding {
  readonly violations: readonly Violation[];
  readonly counts: Partial<AuditCounts>;
}

/** Collects the violations of one invariant. */
export class Findings {
  readonly violations: Violation[] = [];

  constructor(private readonly invariant: Invariant) {}

  add(message: string, invariant: Invariant = this.invariant): void {
    this.violations.push({ invariant, message });
  }

  /** One violation for all of `found`, the first few by name. */
  addAll(what: string, found: readonly string[]): void {
    if (found.length > 0) this.add(`${found.length} ${what}: ${some(found)}`);
  }
}

const NAMED = 4;

function some(names: readonly string[]): string {
  return `${names.slice(0, NAMED).join(', ')}${names.length > NAMED ? ', …' : ''}`;
}
