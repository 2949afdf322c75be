import { GetObjectCommand, NoSuchKey, type S3Client } from '@aws-sdk/client-s3';
import { ApplicationFailure } from '@temporalio/common';
import type { JobManifest, JobRelation, S3Pointer } from '../domain/documents';
import { FailureType } from '../domain/failure-type';
import { outputName, type PipelineSpec, type RelationSpec } from '../domain/pipeline-spec';

/** What the job's manifest says of one relation, by the name that the job calls it. */
export async function readJobRelation(s3: S3Client, manifest: S3Pointer, relation: RelationSpec): Promise<JobRelation> {
  const name = outputName(relation);
  try {
    const { Body } = await s3.send(new GetObjectCommand({ Bucket: manifest.bucket, Key: manifest.key }));
    const document = JSON.parse((await Body?.transformToString()) ?? '') as JobManifest;
    const found = document.relations.find((each) => each.name === name);
    if (found !== undefined) return found;
    throw invalid(manifest, `it has no relation "${name}", only ${document.relations.map((each) => each.name).join(', ')}`);
  } catch (error) {
    if (error instanceof NoSuchKey) throw invalid(manifest, 'it is not there');
    throw error;
  }
}

/** The declaration of one relation. */
export function relationOf(spec: PipelineSpec, relation: string): RelationSpec {
  const found = spec.relations.find((each) => each.name === relation);
  if (found !== undefined) return found;
  throw ApplicationFailure.nonRetryable(
    `Pipeline "${spec.name}" declares no relation "${relation}", only ${spec.relations.map((each) => each.name).join(', ')}`,
    FailureType.InvalidPipeline,
  );
}

function invalid(manifest: S3Pointer, fault: string): ApplicationFailure {
  return ApplicationFailure.nonRetryable(`s3://${manifest.bucket}/${manifest.key} is no valid job output: ${fault}`, FailureType.JobOutputInvalid);
}
