#!/usr/bin/env node
// TypeScript is run as it stands: a checkout needs no build step between `npm ci` and its first command.
require('tsx/cjs');
require('../cli/main.ts');
