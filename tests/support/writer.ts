/** A replica in a process of its own: applies commits offline for ever, printing each one's id once it is saved. */
import { intents, openClient } from 'rejoin'

const client = await openClient({ data: process.argv[2] ?? '' })
const replica = await client.open(intents, 'support')
for (let i = 0; ; i++) {
  const receipt = replica.apply({ type: 'IntentAdded', id: `intent-${process.pid}-${i}`, phrasesByLang: {} })
  await receipt.saved
  if (receipt.kind === 'commit') process.stdout.write(`${receipt.id.replica}:${receipt.id.counter}\n`)
}
