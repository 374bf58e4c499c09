/** Modules for `--domain`: a domain of tasks, as a user would write it, with what is imported found in this checkout. */
import { writeFile } from 'node:fs/promises'
import path from 'node:path'
import { checkout } from '../support/command.ts'

/** An op of the domain, as a line for `rejoin apply`. */
export const added = (id: string, title = id): string => JSON.stringify({ type: 'TaskAdded', id, title })

/** The domain as an expression. */
export function tasks(version: number, title = 'z.string()'): string {
  return `defineDomain({
  name: 'tasks',
  version: ${version},
  tables: { tasks: records({ title: ${title} }) },
  ops: (op) => ({
    TaskAdded: op(z.object({ id: Id, title: z.string() }), (t, o) => t.tasks.add(o.id, { title: o.title })),
  }),
})`
}

export async function moduleOf(folder: string, name: string, body: string): Promise<string> {
  const file = path.join(folder, name)
  const [door, zod] = ['packages/rejoin/dist/index.js', 'node_modules/zod/index.js'].map((part) =>
    JSON.stringify(path.join(checkout, part)),
  )
  const imports = `import { defineDomain, Id, records } from ${door}\nimport { z } from ${zod}\n`
  await writeFile(file, `${imports}${body}\n`)
  return file
}
