import type { PipelineSpec, RelationSpec } from '../domain/pipeline-spec';
import { pipelines } from '../pipelines';
import { UsageError } from './output';

/** A relation by its name or its view's, and the pipeline that serves it. @throws UsageError with what is declared */
export function namedRelation(name: string): { readonly spec: PipelineSpec; readonly relation: RelationSpec } {
  for (const spec of pipelines) {
    const relation = spec.relations.find((each) => each.name === name || each.view === name);
    if (relation !== undefined) return { spec, relation };
  }
  const declared = pipelines.flatMap((spec) => spec.relations.map((each) => each.view));
  throw new UsageError(`No pipeline serves "${name}": declared are ${declared.join(', ')}`);
}
