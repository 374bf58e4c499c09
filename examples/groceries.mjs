import { z } from 'zod'
import { defineDomain, Id, openClient, records, startHub } from 'rejoin'

const todo = defineDomain({
  name: 'todo',
  version: 1,
  tables: { lists: records({ title: z.string().max(200) }) },
  ops: (op) => ({
    ListAdded: op(z.object({ id: Id, title: z.string() }), (t, o) => t.lists.add(o.id, { title: o.title })),
  }),
})

const phone = await openClient({ data: './phone' })
const offline = await phone.open(todo, 'home')
await offline.apply({ type: 'ListAdded', id: 'shop', title: 'Groceries' }).saved
console.log('offline, commits that wait:', offline.status.pending)
await phone.close()

const hub = await startHub({ data: './hub', domains: [todo], port: 0 })
const again = await openClient({ data: './phone', hub: hub.url })
const rejoined = await again.open(todo, 'home')
await rejoined.syncOnce()
console.log('online, commits that wait:', rejoined.status.pending)
const laptop = await openClient({ data: './laptop', hub: hub.url })
const home = await laptop.open(todo, 'home')
await home.syncOnce()
console.log('the laptop reads', home.tables.lists.get('shop'))

for (const part of [again, laptop, hub]) await part.close()
