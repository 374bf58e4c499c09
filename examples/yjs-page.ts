import { tablesOf, type DocumentTables } from '@rejoin/crdt-adapter'
import { WebsocketProvider } from 'y-websocket'
import * as Y from 'yjs'
import { todo } from './todo.ts'

export interface TodoPage {
  readonly home: DocumentTables<typeof todo>
  readonly provider: WebsocketProvider
}

/** A page with Yjs and its standard provider, and no replica: `url` is the hub's, `token` an API key or a JWT. */
export function openYjsPage(
  url: string,
  token: string,
  more: { readonly WebSocketPolyfill?: typeof WebSocket } = {},
): TodoPage {
  const doc = new Y.Doc()
  const home = tablesOf(todo, doc, {
    clock: { now: () => Date.now(), random: (count) => crypto.getRandomValues(new Uint8Array(count)) },
  })
  const encoded = btoa(token).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '')
  const provider = new WebsocketProvider(`${url.replace('http', 'ws')}/yjs`, 'home', doc, {
    // Never in `params`: URLs are logged wherever they pass.
    protocols: ['rejoin.yjs', `rejoin.token.${encoded}`],
    ...more,
  })
  // It will not come again by itself: the document was made anew, or the sign-in has ended.
  provider.on('closed', ({ code, reason }) => console.log(`closed for good: ${code} ${reason}`))
  return { home, provider }
}
