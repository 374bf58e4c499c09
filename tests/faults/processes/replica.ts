/**
 * A replica in a process of its own that writes for ever, live. Arguments: data folder, a hub's URL or `offline`, a name for its
 * phrases. Prints `saved COMMIT PHRASE` and `acked COMMIT` as it learns of them. It ends when its standard input does.
 */
import { commitName } from '@rejoin/core'
import { intents, openClient } from 'rejoin'
import { nextOps } from '../writing.ts'

const [data = '', hub = 'offline', name = ''] = process.argv.slice(2)
const unansweredMax = 64

process.stdin.resume().on('end', () => process.exit(1))
const client = await openClient({ data, ...(hub === 'offline' ? {} : { hub }) })
const replica = await client.open(intents, 'support')
console.log('open')
let unanswered = 0
for (let n = 0; ; n++) {
  const phrase = `${name} ${n}`
  const receipt = replica.apply(nextOps(phrase, n))
  if (receipt.kind === 'unchanged') continue
  const commit = commitName(receipt.id)
  unanswered++
  void receipt.acked.then(
    () => {
      unanswered--
      console.log(`acked ${commit}`)
    },
    () => {},
  )
  // Some are saved one by one, some together.
  const saved = receipt.saved.then(() => console.log(`saved ${commit} ${phrase}`))
  if (n % 3 === 0 || (hub !== 'offline' && unanswered >= unansweredMax)) await saved
  if (hub !== 'offline' && unanswered >= unansweredMax) await receipt.acked
}
