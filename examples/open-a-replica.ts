import { openClient, startHub } from 'rejoin'
import { todo } from './todo.ts'

export async function openAReplica(folder: string): Promise<string | undefined> {
  const hub = await startHub({ data: `${folder}/hub`, domains: [todo], port: 0 })
  const client = await openClient({ data: `${folder}/phone`, hub: hub.url })
  const home = await client.open(todo, 'home')
  home.subscribe((changes) => console.log(`${changes.length} changes`))
  const receipt = home.apply({ type: 'ListAdded', id: 'shop', title: 'Groceries' })
  await receipt.saved // 'durable': on the disk here
  await receipt.acked // 'durable': on the hub's disk
  const title = home.tables.lists.get('shop')?.title
  await client.close()
  await hub.close()
  return title
}
