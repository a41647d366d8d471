// node build.mjs FOLDER_OF_WIT OUTPUT

import { writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';

import { componentize } from '@bytecodealliance/componentize-js';

const [witPath, output] = process.argv.slice(2);
const { component } = await componentize({
  sourcePath: fileURLToPath(new URL('activity.js', import.meta.url)),
  witPath,
  worldName: 'activity',
  // What it does not use it does not ask for. `stdio` stays: by it, an error that nobody caught is told.
  disableFeatures: ['http', 'fetch-event', 'random', 'clocks'],
});
await writeFile(output, component);
