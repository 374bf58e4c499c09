#!/usr/bin/env node
// The `rejoin` command. Committed as plain JavaScript so that npm can link it before anything is built.
import { existsSync } from 'node:fs'

const built = new URL('../dist/cli/main.js', import.meta.url)

// Until the command itself listens: it ends like any that was stopped.
const endings = ['SIGINT', 'SIGTERM']
const stop = () => {
  console.error('rejoin: interrupted; it was not done: run it again [INTERRUPTED]')
  process.exit(1)
}

if (existsSync(built)) {
  for (const signal of endings) process.on(signal, stop)
  const { main } = await import('../dist/cli/main.js')
  for (const signal of endings) process.off(signal, stop)
  process.exitCode = await main(process.argv.slice(2))
  // Stores are closed and all is said by now: a connection still taking its leave must not hold the shell.
  process.stdout.write('', () => setTimeout(() => process.exit(), 500).unref())
} else {
  console.error('rejoin is not built yet: run `npm run build` in the workspace first')
  process.exitCode = 1
}
