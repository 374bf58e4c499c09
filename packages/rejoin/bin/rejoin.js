#!/usr/bin/env node
// The `rejoin` command. Committed as plain JavaScript so that npm can link it before anything is built.
import { existsSync } from 'node:fs'

const main = new URL('../dist/cli/main.js', import.meta.url)

if (existsSync(main)) {
  await import('../dist/cli/main.js')
} else {
  console.error('rejoin is not built yet: run `npm run build` in the workspace first')
  process.exitCode = 1
}
