/** Tests that run the command run what is built, so it is built first; nothing to do is done in a second. */
import { execFileSync } from 'node:child_process'
import path from 'node:path'

export function setup(): void {
  const root = path.resolve(import.meta.dirname, '../..')
  execFileSync(
    process.execPath,
    [path.join(root, 'node_modules/typescript/bin/tsc'), '-b', 'packages/rejoin'],
    {
      cwd: root,
      stdio: 'inherit',
    },
  )
}
