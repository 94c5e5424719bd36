// Training: what the address names, a job, several beside each other, or a new one.
import { isForbidden, Trouble } from "../parts/trouble";
import { place } from "../shell/route";
import { Compare } from "./compare";
import { comparedIds } from "./compare_address";
import { JobView } from "./job_view";
import { jobsTrouble } from "./jobs";
import { NewTraining } from "./new_training";

export { TrainList } from "./job_list";

export function TrainView() {
  const { id } = place.value;
  if (isForbidden(jobsTrouble.value)) return <Trouble error={jobsTrouble.value} />;
  const compared = comparedIds(id);
  return (
    <div class="page">
      {jobsTrouble.value !== null && !id && <Trouble error={jobsTrouble.value} />}
      {compared ? <Compare key={id} ids={compared} /> : id ? <JobView key={id} id={id} /> : <NewTraining />}
    </div>
  );
}
