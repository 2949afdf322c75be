import type { Activities } from '../activities';
import { ACTIVITY_GROUP_NAMES, ACTIVITY_GROUPS, type ActivityGroup, type ActivityOf } from '../domain/activity-groups';

/** For each group the activities that its declaration names, made with the group's own clients. */
export type ActivitiesByGroup = { readonly [G in ActivityGroup]: Pick<Activities, ActivityOf<G>> };

/** Of each group exactly what its declaration names: an activity that was made with another group's clients as well is not taken from there. */
export function declaredActivities(made: ActivitiesByGroup): Pick<Activities, ActivityOf<ActivityGroup>> {
  const entries = ACTIVITY_GROUP_NAMES.flatMap((group) => {
    const activities: Readonly<Record<string, unknown>> = made[group];
    return ACTIVITY_GROUPS[group].activities.map((name) => [name, activities[name]] as const);
  });
  return Object.fromEntries(entries) as Pick<Activities, ActivityOf<ActivityGroup>>;
}
