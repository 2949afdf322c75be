export { ensureToolchain, STACK_TOOLS, TOOLS, type ToolName } from './toolchain';
