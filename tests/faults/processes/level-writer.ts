/**
 * LevelDB alone, which shows that the simulated power cut cuts: writes for ever, printing each number once LevelDB has answered.
 * Arguments: folder, `synced` or `unsynced`.
 */
import { Level } from 'level'

const [data = '', how] = process.argv.slice(2)
process.stdin.resume().on('end', () => process.exit(1))
const database = new Level<string, string>(data)
await database.open()
for (let n = 0; ; n++) {
  await database.put(String(n), 'x'.repeat(100), { sync: how === 'synced' } as object)
  console.log(n)
}
