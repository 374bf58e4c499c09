/**
 * Opens and reads folders, each twice, in a process of its own, which LevelDB may abort. Arguments: a file that lists their
 * paths, one a line, and `hub` or `replica`. Prints `PATH`, then the two readings as JSON, for each.
 */
import { readFile } from 'node:fs/promises'
import { readFolder } from '../damage/reading.ts'

const [list = '', kind] = process.argv.slice(2)
for (const path of (await readFile(list, 'utf8')).split('\n').filter((line) => line !== '')) {
  console.log(path)
  const readings = []
  for (let time = 0; time < 2; time++)
    readings.push(await readFolder(kind === 'hub' ? 'hub' : 'replica', path))
  console.log(JSON.stringify(readings))
}
process.exit(0)
