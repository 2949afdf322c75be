/** A parameter that switches something on. */
export interface OptionalParameterProps {
  /** Logical id in the template: what a deployment names it by. */
  readonly name: string;
  readonly description: string;
  /** What a value looks like: a regular expression. */
  readonly pattern: string;
  /** The same in words. */
  readonly constraint: string;
}
