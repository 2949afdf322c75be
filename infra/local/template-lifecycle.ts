import type { LifecycleRule, TransitionStorageClass } from '@aws-sdk/client-s3';

/** `LifecycleConfiguration` as templates spell it. */
export interface TemplateLifecycle {
  readonly Rules: readonly TemplateRule[];
}

/**
 * A template's lifecycle rules in the words of S3's API.
 * @throws TypeError for a member that this does not translate: left out, it would silently not hold
 */
export function lifecycleRules({ Rules }: TemplateLifecycle): readonly LifecycleRule[] {
  return Rules.map((rule) => {
    const {
      Id,
      Status,
      Prefix,
      ExpirationInDays,
      ExpiredObjectDeleteMarker,
      NoncurrentVersionExpiration,
      AbortIncompleteMultipartUpload,
      Transitions,
      ...others
    } = rule;
    if (Object.keys(others).length > 0) {
      throw new TypeError(
        `Lifecycle rule "${Id}" has ${Object.keys(others).join(', ')}: teach infra/local/template-lifecycle.ts its API form`,
      );
    }
    return {
      ID: Id,
      Status,
      Filter: { Prefix: Prefix ?? '' },
      ...(ExpirationInDays === undefined ? {} : { Expiration: { Days: ExpirationInDays } }),
      ...(ExpiredObjectDeleteMarker === undefined ? {} : { Expiration: { ExpiredObjectDeleteMarker } }),
      ...(NoncurrentVersionExpiration === undefined ? {} : { NoncurrentVersionExpiration }),
      ...(AbortIncompleteMultipartUpload === undefined ? {} : { AbortIncompleteMultipartUpload }),
      ...(Transitions === undefined
        ? {}
        : {
            Transitions: Transitions.map(({ StorageClass, TransitionInDays }) => ({
              Days: TransitionInDays,
              StorageClass,
            })),
          }),
    };
  });
}

/** In the order of their ids, with their members in one order: S3 promises none. */
export function sortedRules(rules: readonly LifecycleRule[]): readonly LifecycleRule[] {
  return [...rules].sort((a, b) => ((a.ID ?? '') < (b.ID ?? '') ? -1 : 1));
}

/** One rule; a template may hold members beyond these. */
interface TemplateRule {
  readonly Id: string;
  readonly Status: 'Enabled' | 'Disabled';
  readonly Prefix?: string;
  readonly ExpirationInDays?: number;
  readonly ExpiredObjectDeleteMarker?: boolean;
  readonly NoncurrentVersionExpiration?: { readonly NoncurrentDays: number };
  readonly AbortIncompleteMultipartUpload?: { readonly DaysAfterInitiation: number };
  readonly Transitions?: readonly {
    readonly StorageClass: TransitionStorageClass;
    readonly TransitionInDays: number;
  }[];
}
