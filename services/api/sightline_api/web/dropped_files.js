/**
 * The files of a drop or of a folder, and those of them that may be pictures.
 */

const PICTURE_NAME = /\.(jpe?g|jfif|png|webp|gif|bmp|tiff?|avif|hei[cf])$/iu;

/**
 * Those of a folder's files that may be pictures, by their names: the others are nobody's mistake.
 * @template {{name: string}} Named
 * @param {Named[]} files
 * @returns {Named[]}
 */
export function picturesAmong(files) {
  return files.filter((file) => !file.name.startsWith(".") && PICTURE_NAME.test(file.name));
}

/**
 * The files that were dropped, those in folders too, and how many files and folders could not be read. To be
 * called while the drop is handled: later the browser has forgotten what was dropped.
 * @param {DataTransfer} dropped
 * @returns {Promise<{files: File[], unread: number}>}
 */
export async function filesOf(dropped) {
  const entries = [...dropped.items].map((item) => item.webkitGetAsEntry()).filter(Boolean);
  if (!entries.length) return { files: [...dropped.files], unread: 0 };
  return together(await Promise.all(entries.map(filesBelow)));
}

/** One that was moved, or may not be read, does not keep the others away. */
async function filesBelow(entry) {
  try {
    return await (entry.isFile ? fileOf(entry) : filesIn(entry));
  } catch {
    return { files: [], unread: 1 };
  }
}

async function fileOf(entry) {
  return { files: [await new Promise((resolve, reject) => entry.file(resolve, reject))], unread: 0 };
}

async function filesIn(folder) {
  const reader = folder.createReader();
  const found = [];
  for (;;) {
    const some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
    if (!some.length) return together(found);
    const wanted = [...some.filter((one) => one.isDirectory), ...picturesAmong(some.filter((one) => one.isFile))];
    for (const below of wanted) found.push(await filesBelow(below));
  }
}

function together(found) {
  return {
    files: found.flatMap(({ files }) => files),
    unread: found.reduce((sum, { unread }) => sum + unread, 0),
  };
}
