import type { Argument, Command, Option } from 'commander';

/** A command or a subcommand, as a shell completes it. */
export interface CompletionNode {
  /** `''` for `meridian` itself, `cycles list` for a subcommand. */
  readonly path: string;
  /** Subcommands, and values of arguments. */
  readonly words: readonly string[];
  readonly options: readonly CompletionOption[];
}

export interface CompletionOption {
  /** With its dashes. */
  readonly flag: string;
  readonly summary: string;
  readonly takesValue: boolean;
  /** Known values; empty where any may be given. */
  readonly values: readonly string[];
}

/** What the declarations name, by the name of the argument or option that takes it. */
export type DeclaredNames = Readonly<Record<string, readonly string[]>>;

/** Every node of the tree, parents first. */
export function completionNodes(program: Command, names: DeclaredNames): readonly CompletionNode[] {
  return below(program, '', names);
}

function below(command: Command, path: string, names: DeclaredNames): readonly CompletionNode[] {
  const node: CompletionNode = {
    path,
    words: [...command.commands.map((child) => child.name()), ...command.registeredArguments.flatMap((argument) => argumentValues(argument, names))],
    options: [...command.options.filter((option) => !option.hidden).flatMap((option) => flagsOf(option, names)), HELP],
  };
  return [node, ...command.commands.flatMap((child) => below(child, path === '' ? child.name() : `${path} ${child.name()}`, names))];
}

const HELP: CompletionOption = { flag: '--help', summary: 'display help', takesValue: false, values: [] };

function argumentValues(argument: Argument, names: DeclaredNames): readonly string[] {
  return argument.argChoices ?? names[argument.name()] ?? [];
}

function flagsOf(option: Option, names: DeclaredNames): readonly CompletionOption[] {
  if (option.long === undefined || option.long === null) return [];
  const takesValue = option.required || option.optional;
  return [
    {
      flag: option.long,
      summary: option.description,
      takesValue,
      values: takesValue ? (option.argChoices ?? names[option.name()] ?? []) : [],
    },
  ];
}
