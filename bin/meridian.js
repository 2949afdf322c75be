#!/usr/bin/env node
// TypeScript is run as it stands: a checkout needs no build step between `npm ci` and its first command.
require('tsx/cjs');
require('tsx/esm/api').register(); // dynamic imports, by which a command is loaded only when asked for
require('../cli/main.ts');
