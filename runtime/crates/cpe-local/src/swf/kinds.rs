//! Workflow types and activity types: both are registered, described and deprecated alike.

use std::{collections::BTreeMap, fmt};

use cpe_swf::{
    ActivityType, DomainName, Fault, FaultKind, RegistrationStatus, Timestamp, WorkflowType, api::*,
};

use super::{
    Call, Swf, Write,
    check::Checks,
    domains::{Domain, TYPES, check_description},
    pages, unknown_domain,
};

/// What the two kinds of types have in common.
pub(super) trait Kind: Clone + Ord + fmt::Debug + 'static {
    const NAME: &'static str;
    type Detail: Clone + 'static;

    fn name_and_version(&self) -> (&str, &str);
    fn table(domain: &Domain) -> &BTreeMap<Self, Self::Detail>;
    fn table_mut(domain: &mut Domain) -> &mut BTreeMap<Self, Self::Detail>;
    fn standing(detail: &mut Self::Detail) -> (&mut RegistrationStatus, &mut Option<Timestamp>);
    fn status(detail: &Self::Detail) -> RegistrationStatus;
    fn write(domain: DomainName, detail: Self::Detail) -> Write;
    fn drop_write(domain: DomainName, kind: Self) -> Write;
}

macro_rules! kinds {
    ($($kind:ident, $detail:ident, $table:ident, $write:ident, $drop:ident, $field:ident;)*) => {$(
        impl Kind for $kind {
            const NAME: &'static str = stringify!($kind);
            type Detail = $detail;

            fn name_and_version(&self) -> (&str, &str) {
                (&self.name, &self.version)
            }

            fn table(domain: &Domain) -> &BTreeMap<Self, $detail> {
                &domain.$table
            }

            fn table_mut(domain: &mut Domain) -> &mut BTreeMap<Self, $detail> {
                &mut domain.$table
            }

            fn standing(
                detail: &mut $detail,
            ) -> (&mut RegistrationStatus, &mut Option<Timestamp>) {
                (&mut detail.type_info.status, &mut detail.type_info.deprecation_date)
            }

            fn status(detail: &$detail) -> RegistrationStatus {
                detail.type_info.status
            }

            fn write(domain: DomainName, detail: $detail) -> Write {
                Write::$write { domain, detail }
            }

            fn drop_write(domain: DomainName, $field: Self) -> Write {
                Write::$drop { domain, $field }
            }
        }
    )*};
}

kinds! {
    WorkflowType, WorkflowTypeDetail, workflow_types, WorkflowType, DropWorkflowType, workflow_type;
    ActivityType, ActivityTypeDetail, activity_types, ActivityType, DropActivityType, activity_type;
}

/// A type as SWF names it in its messages.
fn named<K: Kind>(kind: &K) -> String {
    let (name, version) = kind.name_and_version();
    format!("{}=[name={name}, version={version}]", K::NAME)
}

pub(super) fn unknown_type<K: Kind>(kind: &K) -> Fault {
    Fault::new(FaultKind::UnknownResourceFault, format!("Unknown type: {}", named(kind)))
}

pub(super) fn type_deprecated<K: Kind>(kind: &K) -> Fault {
    Fault::new(FaultKind::TypeDeprecatedFault, named(kind))
}

impl Swf {
    fn type_mut<K: Kind>(
        &mut self,
        domain: &DomainName,
        kind: &K,
    ) -> Result<&mut K::Detail, Fault> {
        let domain = self.domains.get_mut(domain).ok_or_else(|| unknown_domain(domain))?;
        K::table_mut(domain).get_mut(kind).ok_or_else(|| unknown_type(kind))
    }

    fn register<K: Kind>(
        &mut self,
        domain: DomainName,
        kind: K,
        detail: K::Detail,
    ) -> Result<(), Fault> {
        let held = self.domains.get_mut(&domain).ok_or_else(|| unknown_domain(&domain))?;
        if held.record.status == RegistrationStatus::Deprecated {
            return Err(Fault::new(FaultKind::DomainDeprecatedFault, domain.to_string()));
        }
        if K::table(held).contains_key(&kind) {
            return Err(Fault::new(FaultKind::TypeAlreadyExistsFault, named(&kind)));
        }
        if K::table(held).len() >= TYPES {
            let message =
                format!("Domain {domain} has {TYPES} types of this kind already, the most allowed");
            return Err(Fault::new(FaultKind::LimitExceededFault, message));
        }
        K::table_mut(held).insert(kind, detail.clone());
        self.writes.push(K::write(domain, detail));
        Ok(())
    }

    fn deprecate<K: Kind>(
        &mut self,
        now: Timestamp,
        domain: &DomainName,
        kind: &K,
    ) -> Result<(), Fault> {
        let detail = self.type_mut(domain, kind)?;
        let (status, date) = K::standing(detail);
        if *status == RegistrationStatus::Deprecated {
            return Err(type_deprecated(kind));
        }
        *status = RegistrationStatus::Deprecated;
        *date = Some(now);
        let detail = detail.clone();
        self.writes.push(K::write(domain.clone(), detail));
        Ok(())
    }

    fn undeprecate<K: Kind>(&mut self, domain: &DomainName, kind: &K) -> Result<(), Fault> {
        let detail = self.type_mut(domain, kind)?;
        let (status, date) = K::standing(detail);
        if *status == RegistrationStatus::Registered {
            return Err(Fault::new(FaultKind::TypeAlreadyExistsFault, named(kind)));
        }
        *status = RegistrationStatus::Registered;
        *date = None;
        let detail = detail.clone();
        self.writes.push(K::write(domain.clone(), detail));
        Ok(())
    }

    fn delete<K: Kind>(&mut self, domain: &DomainName, kind: K) -> Result<(), Fault> {
        let detail = self.type_mut(domain, &kind)?;
        if K::status(detail) == RegistrationStatus::Registered {
            return Err(Fault::new(FaultKind::TypeNotDeprecatedFault, named(&kind)));
        }
        if let Some(domain) = self.domains.get_mut(domain) {
            K::table_mut(domain).remove(&kind);
        }
        self.writes.push(K::drop_write(domain.clone(), kind));
        Ok(())
    }

    fn describe<K: Kind>(&self, domain: &DomainName, kind: &K) -> Result<K::Detail, Fault> {
        K::table(self.domain(domain)?).get(kind).cloned().ok_or_else(|| unknown_type(kind))
    }

    /// The types of a domain with that status, by name, and of one name if `name` is given.
    fn types<'a, K: Kind>(
        &'a self,
        domain: &DomainName,
        status: RegistrationStatus,
        name: Option<&str>,
        reverse: bool,
    ) -> Result<Vec<&'a K::Detail>, Fault> {
        let mut details: Vec<&K::Detail> = K::table(self.domain(domain)?)
            .iter()
            .filter(|(_, detail)| K::status(detail) == status)
            .filter(|(kind, _)| name.is_none_or(|name| kind.name_and_version().0 == name))
            .map(|(_, detail)| detail)
            .collect();
        if reverse {
            details.reverse();
        }
        Ok(details)
    }
}

fn check_names(checks: &mut Checks, name: &str, version: &str, description: Option<&String>) {
    checks.id("name", name);
    checks.version("version", version);
    check_description(checks, description);
}

impl Swf {
    pub(crate) fn register_workflow_type(
        &mut self,
        call: &Call<'_>,
        request: RegisterWorkflowTypeRequest,
    ) -> Result<(), Fault> {
        let r = request;
        let mut checks = Checks::default();
        check_names(&mut checks, &r.name, &r.version, r.description.as_ref());
        let at = "defaultExecutionStartToCloseTimeout";
        checks.execution_timeout(at, r.default_execution_start_to_close_timeout);
        let task = r.default_task_start_to_close_timeout;
        checks.timeout("defaultTaskStartToCloseTimeout", task);
        checks.task_list("defaultTaskList", r.default_task_list.as_ref());
        checks.priority("defaultTaskPriority", r.default_task_priority.as_ref());
        checks.finish()?;
        let kind = WorkflowType::new(r.name, r.version);
        let detail = WorkflowTypeDetail {
            type_info: WorkflowTypeInfo {
                workflow_type: kind.clone(),
                status: RegistrationStatus::Registered,
                description: r.description,
                creation_date: call.now,
                deprecation_date: None,
            },
            configuration: WorkflowTypeConfiguration {
                default_task_start_to_close_timeout: task,
                default_execution_start_to_close_timeout: r
                    .default_execution_start_to_close_timeout,
                default_task_list: r.default_task_list,
                default_task_priority: r.default_task_priority,
                default_child_policy: r.default_child_policy,
                default_lambda_role: r.default_lambda_role,
            },
        };
        self.register(r.domain, kind, detail)
    }

    pub(crate) fn register_activity_type(
        &mut self,
        call: &Call<'_>,
        request: RegisterActivityTypeRequest,
    ) -> Result<(), Fault> {
        let r = request;
        let mut checks = Checks::default();
        check_names(&mut checks, &r.name, &r.version, r.description.as_ref());
        for (at, timeout) in [
            ("defaultTaskStartToCloseTimeout", r.default_task_start_to_close_timeout),
            ("defaultTaskHeartbeatTimeout", r.default_task_heartbeat_timeout),
            ("defaultTaskScheduleToStartTimeout", r.default_task_schedule_to_start_timeout),
            ("defaultTaskScheduleToCloseTimeout", r.default_task_schedule_to_close_timeout),
        ] {
            checks.timeout(at, timeout);
        }
        checks.task_list("defaultTaskList", r.default_task_list.as_ref());
        checks.priority("defaultTaskPriority", r.default_task_priority.as_ref());
        checks.finish()?;
        let kind = ActivityType::new(r.name, r.version);
        let detail = ActivityTypeDetail {
            type_info: ActivityTypeInfo {
                activity_type: kind.clone(),
                status: RegistrationStatus::Registered,
                description: r.description,
                creation_date: call.now,
                deprecation_date: None,
            },
            configuration: ActivityTypeConfiguration {
                default_task_start_to_close_timeout: r.default_task_start_to_close_timeout,
                default_task_heartbeat_timeout: r.default_task_heartbeat_timeout,
                default_task_list: r.default_task_list,
                default_task_priority: r.default_task_priority,
                default_task_schedule_to_start_timeout: r.default_task_schedule_to_start_timeout,
                default_task_schedule_to_close_timeout: r.default_task_schedule_to_close_timeout,
            },
        };
        self.register(r.domain, kind, detail)
    }

    pub(crate) fn list_workflow_types(
        &self,
        call: &Call<'_>,
        request: &ListWorkflowTypesRequest,
    ) -> Result<WorkflowTypeInfos, Fault> {
        let mut checks = Checks::default();
        checks.page_size(request.maximum_page_size);
        checks.finish()?;
        let types = self.types::<WorkflowType>(
            &request.domain,
            request.registration_status,
            request.name.as_deref(),
            request.reverse_order,
        )?;
        let token = request.next_page_token.as_deref();
        let ask = pages::Ask { kind: "lw", token, size: request.maximum_page_size };
        let (type_infos, next_page_token) =
            pages::of_names(call.now, &ask, types, |detail| detail.type_info.clone())?;
        Ok(WorkflowTypeInfos { type_infos, next_page_token })
    }

    pub(crate) fn list_activity_types(
        &self,
        call: &Call<'_>,
        request: &ListActivityTypesRequest,
    ) -> Result<ActivityTypeInfos, Fault> {
        let mut checks = Checks::default();
        checks.page_size(request.maximum_page_size);
        checks.finish()?;
        let types = self.types::<ActivityType>(
            &request.domain,
            request.registration_status,
            request.name.as_deref(),
            request.reverse_order,
        )?;
        let token = request.next_page_token.as_deref();
        let ask = pages::Ask { kind: "la", token, size: request.maximum_page_size };
        let (type_infos, next_page_token) =
            pages::of_names(call.now, &ask, types, |detail| detail.type_info.clone())?;
        Ok(ActivityTypeInfos { type_infos, next_page_token })
    }
}

/// The operations that are nothing but a generic one, with the request's fields.
macro_rules! plain_operations {
    ($($describe:ident $deprecate:ident $undeprecate:ident $delete:ident:
        $describe_request:ident $deprecate_request:ident $undeprecate_request:ident
        $delete_request:ident, $field:ident, $detail:ident;)*) => {$(
        impl Swf {
            pub(crate) fn $describe(
                &self,
                _call: &Call<'_>,
                request: &$describe_request,
            ) -> Result<$detail, Fault> {
                self.describe(&request.domain, &request.$field)
            }

            pub(crate) fn $deprecate(
                &mut self,
                call: &Call<'_>,
                request: &$deprecate_request,
            ) -> Result<(), Fault> {
                self.deprecate(call.now, &request.domain, &request.$field)
            }

            pub(crate) fn $undeprecate(
                &mut self,
                _call: &Call<'_>,
                request: &$undeprecate_request,
            ) -> Result<(), Fault> {
                self.undeprecate(&request.domain, &request.$field)
            }

            pub(crate) fn $delete(
                &mut self,
                _call: &Call<'_>,
                request: $delete_request,
            ) -> Result<(), Fault> {
                self.delete(&request.domain, request.$field)
            }
        }
    )*};
}

plain_operations! {
    describe_workflow_type deprecate_workflow_type undeprecate_workflow_type delete_workflow_type:
        DescribeWorkflowTypeRequest DeprecateWorkflowTypeRequest UndeprecateWorkflowTypeRequest
        DeleteWorkflowTypeRequest, workflow_type, WorkflowTypeDetail;
    describe_activity_type deprecate_activity_type undeprecate_activity_type delete_activity_type:
        DescribeActivityTypeRequest DeprecateActivityTypeRequest UndeprecateActivityTypeRequest
        DeleteActivityTypeRequest, activity_type, ActivityTypeDetail;
}
