//! Domains: registering, deprecating, describing, listing.

use std::collections::{BTreeMap, HashMap};

use cpe_swf::{
    ActivityType, DomainName, Fault, FaultKind, RegistrationStatus, WorkflowId, WorkflowType,
    api::{
        ActivityTypeDetail, DeprecateDomainRequest, DescribeDomainRequest, DomainConfiguration,
        DomainDetail, DomainInfo, DomainInfos, ListDomainsRequest, RegisterDomainRequest,
        ResourceTag, UndeprecateDomainRequest, WorkflowTypeDetail,
    },
};
use serde::{Deserialize, Serialize};

use super::{Call, RunNo, Swf, Write, check::Checks, pages, tags, unknown_domain};

/// SWF's own quota is 100; an endpoint that tests share may need more.
const DOMAINS: usize = 10_000;
const DESCRIPTION_CHARS: usize = 1_024;
const RETENTION_DAYS: u32 = 90;

/// What is stored of a domain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct DomainRecord {
    pub(crate) name: DomainName,
    pub(crate) status: RegistrationStatus,
    pub(crate) description: Option<String>,
    pub(crate) retention: String,
    pub(crate) tags: Vec<ResourceTag>,
}

impl DomainRecord {
    fn info(&self, region: &str) -> DomainInfo {
        DomainInfo {
            name: self.name.clone(),
            status: self.status,
            description: self.description.clone(),
            arn: Some(tags::arn(region, &self.name)),
        }
    }

    /// How long closed runs are kept. `None` means that they are not.
    pub(crate) fn retention_days(&self) -> u32 {
        self.retention.parse().unwrap_or(0)
    }
}

#[derive(Debug)]
pub(super) struct Domain {
    pub(super) record: DomainRecord,
    pub(super) workflow_types: BTreeMap<WorkflowType, WorkflowTypeDetail>,
    pub(super) activity_types: BTreeMap<ActivityType, ActivityTypeDetail>,
    pub(super) open: HashMap<WorkflowId, RunNo>,
}

impl Domain {
    pub(super) fn new(record: DomainRecord) -> Self {
        Self {
            record,
            workflow_types: BTreeMap::new(),
            activity_types: BTreeMap::new(),
            open: HashMap::new(),
        }
    }
}

impl Swf {
    pub(crate) fn register_domain(
        &mut self,
        _call: &Call<'_>,
        request: RegisterDomainRequest,
    ) -> Result<(), Fault> {
        let days = &request.workflow_execution_retention_period_in_days;
        let mut checks = Checks::default();
        checks.trimmed_id("name", request.name.as_str());
        checks.optional("description", request.description.as_ref(), DESCRIPTION_CHARS);
        if days != "NONE" && !days.parse::<u32>().is_ok_and(|days| days <= RETENTION_DAYS) {
            let at = "workflowExecutionRetentionPeriodInDays";
            checks.refuse(at, days, &format!("be NONE or a number of days up to {RETENTION_DAYS}"));
        }
        tags::check(&mut checks, &request.tags);
        checks.finish()?;
        if self.domains.contains_key(&request.name) {
            return Err(already(&request.name));
        }
        if self.domains.len() >= DOMAINS {
            let message = format!("No more than {DOMAINS} domains can be registered");
            return Err(Fault::new(FaultKind::LimitExceededFault, message));
        }
        let mut tagged = Vec::new();
        tags::merge(&mut tagged, request.tags)?;
        let record = DomainRecord {
            name: request.name.clone(),
            status: RegistrationStatus::Registered,
            description: request.description,
            retention: request.workflow_execution_retention_period_in_days,
            tags: tagged,
        };
        self.writes.push(Write::Domain(record.clone()));
        self.domains.insert(request.name, Domain::new(record));
        Ok(())
    }

    /// Deprecates a domain and all types in it. Open executions run on.
    pub(crate) fn deprecate_domain(
        &mut self,
        call: &Call<'_>,
        request: &DeprecateDomainRequest,
    ) -> Result<(), Fault> {
        let domain =
            self.domains.get_mut(&request.name).ok_or_else(|| unknown_domain(&request.name))?;
        if domain.record.status == RegistrationStatus::Deprecated {
            let message = request.name.to_string();
            return Err(Fault::new(FaultKind::DomainDeprecatedFault, message));
        }
        domain.record.status = RegistrationStatus::Deprecated;
        self.writes.push(Write::Domain(domain.record.clone()));
        for detail in domain.workflow_types.values_mut() {
            if detail.type_info.status == RegistrationStatus::Registered {
                detail.type_info.status = RegistrationStatus::Deprecated;
                detail.type_info.deprecation_date = Some(call.now);
                let domain = request.name.clone();
                self.writes.push(Write::WorkflowType { domain, detail: detail.clone() });
            }
        }
        for detail in domain.activity_types.values_mut() {
            if detail.type_info.status == RegistrationStatus::Registered {
                detail.type_info.status = RegistrationStatus::Deprecated;
                detail.type_info.deprecation_date = Some(call.now);
                let domain = request.name.clone();
                self.writes.push(Write::ActivityType { domain, detail: detail.clone() });
            }
        }
        Ok(())
    }

    /// Makes a domain usable again. Its types stay as they are.
    pub(crate) fn undeprecate_domain(
        &mut self,
        _call: &Call<'_>,
        request: &UndeprecateDomainRequest,
    ) -> Result<(), Fault> {
        let domain =
            self.domains.get_mut(&request.name).ok_or_else(|| unknown_domain(&request.name))?;
        if domain.record.status == RegistrationStatus::Registered {
            return Err(already(&request.name));
        }
        domain.record.status = RegistrationStatus::Registered;
        self.writes.push(Write::Domain(domain.record.clone()));
        Ok(())
    }

    pub(crate) fn describe_domain(
        &self,
        call: &Call<'_>,
        request: &DescribeDomainRequest,
    ) -> Result<DomainDetail, Fault> {
        let record = &self.domain(&request.name)?.record;
        Ok(DomainDetail {
            domain_info: record.info(call.region),
            configuration: DomainConfiguration {
                workflow_execution_retention_period_in_days: record.retention.clone(),
            },
        })
    }

    pub(crate) fn list_domains(
        &self,
        call: &Call<'_>,
        request: &ListDomainsRequest,
    ) -> Result<DomainInfos, Fault> {
        let mut checks = Checks::default();
        checks.page_size(request.maximum_page_size);
        checks.finish()?;
        let mut records: Vec<&DomainRecord> = (self.domains.values().map(|domain| &domain.record))
            .filter(|record| record.status == request.registration_status)
            .collect();
        if request.reverse_order {
            records.reverse();
        }
        let ask = pages::Ask {
            kind: "ld",
            token: request.next_page_token.as_deref(),
            size: request.maximum_page_size,
        };
        let (infos, next_page_token) =
            pages::of_names(call.now, &ask, records, |record| record.info(call.region))?;
        Ok(DomainInfos { domain_infos: infos, next_page_token })
    }
}

/// The limit of workflow types in a domain, and that of activity types.
pub(super) const TYPES: usize = 10_000;

pub(super) fn check_description(checks: &mut Checks, description: Option<&String>) {
    checks.optional("description", description, DESCRIPTION_CHARS);
}

fn already(name: &DomainName) -> Fault {
    Fault::new(FaultKind::DomainAlreadyExistsFault, name.to_string())
}
