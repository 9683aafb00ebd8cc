/* Keeps a camera's picture from flickering: a cell of the grid that still sees the same thing
   changes slowly, one that sees something new takes its new estimate. */

const SHARE = 0.2; // of a new estimate, as in dehaze-run
const FAILED_DIFFERENCE = 16 / 255; // of luminance: from here on a cell sees another thing
const CUT_SHARE = 0.2; // of cells that see another thing: from here on a new scene begins

/** @param before what this gave for the frame before, or null.
    @param grid {values, rows, columns, channels, luminance}; the luminance has `pixelsPerCell` times
      as many rows and columns.
    @returns the same with other values. */
export function smoothed(before, grid) {
  const { values, luminance, rows, columns, channels } = grid;
  if (!before || before.luminance.length !== luminance.length || before.columns !== columns)
    return grid;
  const changes = changesOfCells(before.luminance, luminance, rows, columns);
  const failed = changes.reduce((sum, change) => sum + (change >= FAILED_DIFFERENCE), 0);
  if (failed > CUT_SHARE * changes.length) return grid;
  const result = new Float32Array(values.length);
  for (let cell = 0; cell < changes.length; cell++) {
    const trust = Math.max(0, 1 - changes[cell] / FAILED_DIFFERENCE);
    const share = 1 - trust * (1 - SHARE);
    for (let i = channels * cell; i < channels * (cell + 1); i++)
      result[i] = before.values[i] + share * (values[i] - before.values[i]);
  }
  return { ...grid, values: result };
}

/** The mean absolute change of luminance in each cell. */
function changesOfCells(before, after, rows, columns) {
  const perCell = Math.sqrt(after.length / (rows * columns));
  const width = columns * perCell;
  const changes = new Float32Array(rows * columns);
  for (let i = 0; i < after.length; i++) {
    const row = Math.floor(Math.floor(i / width) / perCell);
    const column = Math.floor((i % width) / perCell);
    changes[row * columns + column] += Math.abs(after[i] - before[i]) / (perCell * perCell);
  }
  return changes;
}
