import { Argument, Command } from 'commander';
import { pipelines } from '../pipelines';
import { completionNodes } from './completion/nodes';
import { completionScript, type Shell, SHELLS } from './completion/shells';

/** @param program - `meridian` with every command loaded: what is completed is what there is */
export function completionCommand(program: () => Promise<Command>): Command {
  return new Command('completion')
    .description('what completes commands, options, and the names of pipelines and relations in your shell')
    .addArgument(new Argument('<shell>').choices([...SHELLS]))
    .addHelpText(
      'after',
      '\n  bash  source <(npx meridian completion bash)     in ~/.bashrc\n' +
        '  zsh   source <(npx meridian completion zsh)      in ~/.zshrc, after compinit\n' +
        '  fish  npx meridian completion fish | source      in config.fish\n' +
        "It completes the word `meridian`. Where that is not on the PATH: alias meridian='npx meridian'",
    )
    .action(async (shell: Shell) => {
      const names = pipelines.map((spec) => spec.name);
      const relations = pipelines.flatMap((spec) => spec.relations.flatMap((relation) => [relation.name, relation.view]));
      const nodes = completionNodes(await program(), { pipeline: names, cycle: names, relation: relations });
      process.stdout.write(completionScript(shell, nodes));
    });
}
