import { openBrowserClient } from 'rejoin/browser'
import { todo } from './todo.ts'

export async function openInABrowser(hub: string, tell: (message: string) => void) {
  const client = await openBrowserClient({ name: 'todo', hub })
  const home = await client.open(todo, 'home')
  const lost = home.status.localStateLost
  if (lost !== null) tell(`${lost.pending} changes went with this browser's storage`)
  home.onStatus(({ persistence }) => {
    if (persistence !== 'ok') tell(persistence.cause.message)
  })
  return home
}
