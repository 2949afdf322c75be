import type { CompletionNode } from './nodes';

export const SHELLS = ['bash', 'zsh', 'fish'] as const;
export type Shell = (typeof SHELLS)[number];

/** The completion script of a shell: to be sourced, or saved where the shell looks for such. */
export function completionScript(shell: Shell, nodes: readonly CompletionNode[]): string {
  switch (shell) {
    case 'bash':
      return bash(nodes);
    case 'zsh':
      return zsh(nodes);
    case 'fish':
      return fish(nodes);
  }
  return shell satisfies never;
}

function bash(nodes: readonly CompletionNode[]): string {
  return `# Completion of meridian in bash: source <(meridian completion bash)
_meridian() {
  local current="\${COMP_WORDS[COMP_CWORD]}" previous="\${COMP_WORDS[COMP_CWORD-1]}" at='' candidates='' i
  for ((i = 1; i < COMP_CWORD; i++)); do
    case "$at \${COMP_WORDS[i]}" in
      ${nodePattern(nodes)}) at="$at \${COMP_WORDS[i]}" ;;
    esac
  done
  case "$at $previous" in
${valueCases(nodes, (values) => `COMPREPLY=(${values === '' ? '' : `$(compgen -W '${values}' -- "$current")`}); return`)}
  esac
  case "$at" in
${nodes.map((node) => `    ${quoted(spaced(node.path))}) candidates='${allWords(node)}' ;;`).join('\n')}
  esac
  COMPREPLY=($(compgen -W "$candidates" -- "$current"))
}
complete -o default -F _meridian meridian
`;
}

/** `path` and `words` are zsh's own names. */
function zsh(nodes: readonly CompletionNode[]): string {
  return `#compdef meridian
# Completion of meridian in zsh: source <(meridian completion zsh), after compinit
_meridian() {
  local at='' previous="\${words[CURRENT-1]}" candidates='' i
  for ((i = 2; i < CURRENT; i++)); do
    case "$at \${words[i]}" in
      ${nodePattern(nodes)}) at="$at \${words[i]}" ;;
    esac
  done
  case "$at $previous" in
${valueCases(nodes, (values) => (values === '' ? '_files; return' : `candidates='${values}'; compadd -- \${=candidates}; return`))}
  esac
  case "$at" in
${nodes.map((node) => `    ${quoted(spaced(node.path))}) candidates='${allWords(node)}' ;;`).join('\n')}
  esac
  compadd -- \${=candidates}
}
compdef _meridian meridian
`;
}

function fish(nodes: readonly CompletionNode[]): string {
  const lines = nodes.flatMap((node) => {
    const here = `complete -c meridian -n "test (__meridian_at) = '${node.path}'"`;
    const words = node.words.length === 0 ? [] : [`${here} -a '${node.words.join(' ')}'`];
    const options = node.options.map(({ flag, summary, takesValue, values }) => {
      const value = !takesValue ? '' : values.length === 0 ? ' -r -F' : ` -x -a '${values.join(' ')}'`;
      return `${here} -l ${flag.replace(/^--/, '')}${value} -d ${fishQuoted(summary)}`;
    });
    return [...words, ...options];
  });
  return `# Completion of meridian in fish: meridian completion fish | source
function __meridian_at
  set -l at ''
  for word in (commandline -opc)[2..-1]
    set -l deeper (string trim -- "$at $word")
    if contains -- $deeper ${nodes.filter((node) => node.path !== '').map((node) => `'${node.path}'`).join(' ')}
      set at $deeper
    end
  end
  echo $at
end
complete -c meridian -e
complete -c meridian -f
${lines.join('\n')}
`;
}

function nodePattern(nodes: readonly CompletionNode[]): string {
  return nodes.filter((node) => node.path !== '').map((node) => quoted(spaced(node.path))).join('|');
}

function valueCases(nodes: readonly CompletionNode[], body: (values: string) => string): string {
  return nodes
    .flatMap((node) =>
      node.options.filter((option) => option.takesValue).map((option) => `    ${quoted(`${spaced(node.path)} ${option.flag}`)}) ${body(option.values.join(' '))} ;;`),
    )
    .join('\n');
}

function allWords({ words, options }: CompletionNode): string {
  return [...words, ...options.map((option) => option.flag)].join(' ');
}

function spaced(path: string): string {
  return path === '' ? '' : ` ${path}`;
}

function quoted(text: string): string {
  return `'${text}'`;
}

function fishQuoted(text: string): string {
  return `'${text.replace(/[\\']/g, '\\$&')}'`;
}
