import {
  ListObjectsV2Command,
  type ListObjectsV2CommandOutput,
  ListObjectVersionsCommand,
  type ListObjectVersionsCommandOutput,
  type ObjectVersion,
  type S3Client,
} from '@aws-sdk/client-s3';
import type { RawObject } from '../../domain/documents';

/** The prefixes one level below `prefix` that hold objects, each ending in `/`. */
export async function listPrefixes(s3: S3Client, bucket: string, prefix: string, signal: AbortSignal): Promise<readonly string[]> {
  const found: string[] = [];
  let token: string | undefined;
  do {
    const page: ListObjectsV2CommandOutput = await s3.send(
      new ListObjectsV2Command({
        Bucket: bucket,
        Prefix: prefix,
        Delimiter: '/',
        EncodingType: 'url',
        ...(token === undefined ? {} : { ContinuationToken: token }),
      }),
      { abortSignal: signal },
    );
    const decode = decoderOf(page.EncodingType);
    found.push(...(page.CommonPrefixes ?? []).flatMap((each) => (each.Prefix === undefined ? [] : [decode(each.Prefix)])));
    token = page.IsTruncated === true ? page.NextContinuationToken : undefined;
  } while (token !== undefined);
  return found;
}

/**
 * The current version of every object below `prefix`, a page of the listing at a time, in the byte order of the keys; keys whose
 * latest version is a delete marker are not there.
 * @param after - only keys behind this one
 */
export async function* currentVersionPages(
  s3: S3Client,
  bucket: string,
  prefix: string,
  signal: AbortSignal,
  after?: string,
): AsyncGenerator<readonly Omit<RawObject, 'arrivalHour'>[]> {
  let marker: { readonly KeyMarker?: string; readonly VersionIdMarker?: string } | undefined = after === undefined ? {} : { KeyMarker: after };
  while (marker !== undefined) {
    const page: ListObjectVersionsCommandOutput = await s3.send(
      // XML 1.0 cannot carry every character that a key may hold: such keys come whole only URL-encoded.
      new ListObjectVersionsCommand({ Bucket: bucket, Prefix: prefix, EncodingType: 'url', ...marker }),
      { abortSignal: signal },
    );
    const decode = decoderOf(page.EncodingType);
    const found = (page.Versions ?? []).filter((version) => version.IsLatest === true).map((version) => asPinned(version, decode));
    yield after === undefined ? found : found.filter(({ key }) => compareKeyBytes(key, after) > 0);
    marker =
      page.IsTruncated === true && page.NextKeyMarker !== undefined
        ? {
            KeyMarker: decode(page.NextKeyMarker),
            ...(page.NextVersionIdMarker === undefined ? {} : { VersionIdMarker: page.NextVersionIdMarker }),
          }
        : undefined;
  }
}

/** UTF-8 byte order, as S3 lists; JavaScript's own order of strings differs beyond the Basic Multilingual Plane. */
export function compareKeyBytes(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}

function asPinned(version: ObjectVersion, decode: (key: string) => string): Omit<RawObject, 'arrivalHour'> {
  const { Key, VersionId, ETag, Size } = version;
  if (Key === undefined || ETag === undefined || Size === undefined) {
    throw new Error(`A listing of versions left out a key, ETag or size: found ${JSON.stringify(version)}`);
  }
  return { key: decode(Key), versionId: VersionId ?? 'null', etag: ETag, sizeBytes: Size };
}

/** Only what the answer says is encoded may be decoded: a key may well hold `%2F`. S3 encodes a space as `+`. */
function decoderOf(encodingType: string | undefined): (key: string) => string {
  return encodingType === 'url' ? (key) => decodeURIComponent(key.replaceAll('+', ' ')) : (key) => key;
}
