// The files that a job has left, to be saved one by one or all at once.
import { Archive, Download } from "lucide";
import { archivePath, filePath, type JobDetails, type JobFile } from "../api/jobs";
import { IconButton } from "../parts/button";
import { downloadFrom } from "../parts/download";
import { Icon } from "../parts/icon";
import { notifyError } from "../shell/notices";
import { bytes } from "../text";
import { nameOf } from "./jobs";
import { cleanName } from "./new_specs";
import { t } from "./text";

export function JobFiles({ job, files }: { job: JobDetails; files: JobFile[] }) {
  const save = (path: string, name: string) => downloadFrom(path, name).catch(notifyError);
  return (
    <details>
      <summary>
        {t("files")} <span class="quiet small">({files.length})</span>
      </summary>
      <div class="wide-table" tabIndex={0} role="region" aria-label={t("files")}>
        <table>
          <thead>
            <tr>
              <th scope="col">{t("file")}</th>
              <th scope="col">{t("size")}</th>
              <th scope="col">
                <span class="hidden">{t("download")}</span>
              </th>
            </tr>
          </thead>
          <tbody>
            {files.map(({ path, bytes: size }) => (
              <tr key={path}>
                <th scope="row">{path}</th>
                <td>{bytes(size)}</td>
                <td>
                  <IconButton
                    icon={Download}
                    label={t("downloadOne", { name: path })}
                    onClick={() => save(filePath(job.id, path), path.split("/").at(-1)!)}
                  />
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      <button onClick={() => save(archivePath(job.id), `${cleanName(nameOf(job)) || job.id}.tar`)}>
        <Icon of={Archive} />
        {t("archive")}
      </button>
    </details>
  );
}
