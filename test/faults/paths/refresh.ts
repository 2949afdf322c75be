import { refreshedByDay } from '../pipeline';
import { nightPath } from './night';
import type { Path } from './path';

/** The second night of a pipeline that is refreshed by day: the first night's day is copied, and only its own is made. */
export const refreshPath: Path = { ...nightPath, declare: refreshedByDay };
