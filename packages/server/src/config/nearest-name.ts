/** Finds the known name that an unknown one was most likely meant to be. */

/** The name with the fewest single-character edits (Levenshtein); the first of equals. `names` must not be empty. */
export function nearestName(unknown: string, names: readonly string[]): string {
  let nearest = names[0] ?? '';
  let editsMin = Number.POSITIVE_INFINITY;
  for (const name of names) {
    const edits = countEdits(unknown, name);
    if (edits < editsMin) {
      editsMin = edits;
      nearest = name;
    }
  }
  return nearest;
}

function countEdits(from: string, to: string): number {
  let previous = Array.from({ length: to.length + 1 }, (_, index) => index);
  for (let row = 1; row <= from.length; row++) {
    const current = [row];
    for (let column = 1; column <= to.length; column++) {
      const replaced = (previous[column - 1] ?? 0) + (from[row - 1] === to[column - 1] ? 0 : 1);
      current.push(Math.min(replaced, (previous[column] ?? 0) + 1, (current[column - 1] ?? 0) + 1));
    }
    previous = current;
  }
  return previous[to.length] ?? 0;
}
