import {
  ListObjectVersionsCommand,
  type ListObjectVersionsCommandOutput,
  type ObjectVersion,
  type S3Client,
} from '@aws-sdk/client-s3';
import type { RawObject } from '../../domain/documents';

/** The current version of every object below `prefix`; keys whose latest version is a delete marker are not there. */
export async function listCurrentVersions(
  s3: S3Client,
  bucket: string,
  prefix: string,
  signal: AbortSignal,
): Promise<readonly Omit<RawObject, 'arrivalHour'>[]> {
  const found: Omit<RawObject, 'arrivalHour'>[] = [];
  let marker: { readonly KeyMarker?: string; readonly VersionIdMarker?: string } | undefined = {};
  while (marker !== undefined) {
    const page: ListObjectVersionsCommandOutput = await s3.send(
      // XML 1.0 cannot carry every character that a key may hold: such keys come whole only URL-encoded.
      new ListObjectVersionsCommand({ Bucket: bucket, Prefix: prefix, EncodingType: 'url', ...marker }),
      { abortSignal: signal },
    );
    const decode = page.EncodingType === 'url' ? decodeKey : (key: string) => key;
    for (const version of page.Versions ?? []) {
      if (version.IsLatest !== true) continue;
      found.push(asPinned(version, decode));
    }
    marker =
      page.IsTruncated === true && page.NextKeyMarker !== undefined
        ? {
            KeyMarker: decode(page.NextKeyMarker),
            ...(page.NextVersionIdMarker === undefined ? {} : { VersionIdMarker: page.NextVersionIdMarker }),
          }
        : undefined;
  }
  return found;
}

function asPinned(version: ObjectVersion, decode: (key: string) => string): Omit<RawObject, 'arrivalHour'> {
  const { Key, VersionId, ETag, Size } = version;
  if (Key === undefined || ETag === undefined || Size === undefined) {
    throw new Error(`A listing of versions left out a key, ETag or size: found ${JSON.stringify(version)}`);
  }
  return { key: decode(Key), versionId: VersionId ?? 'null', etag: ETag, sizeBytes: Size };
}

/** S3 encodes a space as `+`, and a plus sign as `%2B`. */
function decodeKey(encoded: string): string {
  return decodeURIComponent(encoded.replaceAll('+', ' '));
}
