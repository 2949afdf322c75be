export { ensureToolchain, missingTools, TOOLS, type ToolName } from './toolchain';
