/** @type {import('jest').Config} */
module.exports = {
  testEnvironment: 'node',
  roots: ['<rootDir>/test'],
  testMatch: ['**/*.test.ts'],
  transform: {
    '^.+\\.(t|j|mj)s$': [
      '@swc/jest',
      { jsc: { parser: { syntax: 'typescript' }, target: 'es2022' }, module: { type: 'commonjs' }, sourceMaps: 'inline' },
    ],
  },
  // Kysely is published as ES modules only.
  transformIgnorePatterns: ['/node_modules/(?!kysely/)'],
  testSequencer: '<rootDir>/test/longest-first.js',
  maxWorkers: 2, // engines are waited for more than computed on: one worker would leave a core idle
  testTimeout: 180_000, // two cores, and several engines beside each other
};
