import type { Progress } from '../progress';
import { onPath } from './command';
import { canInstallPackages, installPackages, missingTool } from './debian';

/** Later versions read an artifact's parent POM first, and Sedona's is not published everywhere that its jar is. */
export const MAVEN_DEPENDENCY = 'org.apache.maven.plugins:maven-dependency-plugin:2.10';

/**
 * The path of `mvn`, installed where this user may.
 * @throws StackError where it is missing and cannot be installed
 */
export async function maven(progress: Progress): Promise<string> {
  const known = onPath('mvn');
  if (known !== undefined) return known;
  if (!canInstallPackages()) throw missingTool('Maven', ['maven']);
  await installPackages(['maven'], progress);
  const installed = onPath('mvn');
  if (installed === undefined) throw missingTool('Maven', ['maven']);
  return installed;
}
