#!/usr/bin/env node
// TypeScript is run as it stands: a checkout needs no build step between `npm ci` and its first command.
require('tsx/cjs');
// For dynamic imports, by which a command is loaded only when asked for. Node 20 cannot register it from CommonJS.
void import('tsx/esm/api').then(({ register }) => {
  register();
  require('../cli/main.ts');
});
