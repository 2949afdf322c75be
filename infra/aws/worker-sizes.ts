/** What Fargate offers together, and what of the memory DuckDB may take: the rest of a worker stays within 512 MiB, the init process and the runtime need some too. */
export const WORKER_SIZES = {
  small: { Cpu: '512', Memory: '2048', DuckdbMb: '1024' },
  medium: { Cpu: '1024', Memory: '4096', DuckdbMb: '3072' },
  large: { Cpu: '2048', Memory: '8192', DuckdbMb: '7168' },
} as const;
