//! `JobKind`: what a job does.

use async_graphql::Enum;

/// What a job does, from the upstream's type word.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum JobKind {
    /// Backup of physical machines and cloud instances by agents that a backup server manages
    /// (`AgentBackupJob`).
    AgentBackup,
    /// A backup policy that agents run by themselves (`AgentPolicy`).
    AgentPolicy,
    /// Backup of virtual machines (`BackupVm`).
    VmBackup,
    /// Replication of virtual machines by snapshots (`ReplicationVM`).
    Replication,
    /// Continuous replication of virtual machines (`CdpReplicationVM`).
    CdpReplication,
    /// Backup copy to another repository by the older engine (`BackupCopy`). The word does not tell
    /// whether copies are made at once or periodically.
    BackupCopy,
    /// Backup copy to another repository by the engine of Veeam Backup & Replication 12 and later
    /// (`SimpleBackupCopy`; `ImmediateBackupCopy` in version 3.2 of the API and older). The word
    /// does not tell whether copies are made at once or periodically.
    SimpleBackupCopy,
    /// Copy of virtual machine files (`CopyVm`).
    VmCopy,
    /// Copy of files (`CopyFile`).
    FileCopy,
    /// Backups written to tape (`BackupToTape`).
    BackupToTape,
    /// Files written to tape (`FileToTape`).
    FileToTape,
    /// Backup of file shares (`BackupFile`).
    FileShareBackup,
    /// Copy of file share backups (`BackupFileCopy`).
    FileShareCopy,
    /// Backup of object storage (`ObjectStorageBackup`).
    ObjectStorageBackup,
    /// Copy of object storage backups (`ObjectStorageBackupCopy`).
    ObjectStorageCopy,
    /// Backup of database logs (`SqlLogBackup`, `OracleLogBackup`, `PostgreSqlLogBackup`): runs for
    /// hours, by design.
    LogBackup,
    /// Backup of cloud machines by an appliance (`AzureBackupJob`, `AwsBackupJob`,
    /// `GoogleBackupJob`).
    CloudBackup,
    /// Storage snapshots (`AhvStorageSnapshotJob`).
    StorageSnapshot,
    /// Recovery verification (`SureBackup`).
    SureBackup,
    /// Upkeep of scale-out repositories (`SobrMaintenance`).
    Maintenance,
    /// A word that this gateway does not know. The word itself is in `type`.
    Other,
}

/// The upstream's words.
const WORDS: [(&str, JobKind); 25] = [
    ("agentbackupjob", JobKind::AgentBackup),
    ("agentpolicy", JobKind::AgentPolicy),
    ("backupvm", JobKind::VmBackup),
    ("replicationvm", JobKind::Replication),
    ("cdpreplicationvm", JobKind::CdpReplication),
    ("backupcopy", JobKind::BackupCopy),
    ("simplebackupcopy", JobKind::SimpleBackupCopy),
    ("immediatebackupcopy", JobKind::SimpleBackupCopy),
    ("copyvm", JobKind::VmCopy),
    ("copyfile", JobKind::FileCopy),
    ("backuptotape", JobKind::BackupToTape),
    ("filetotape", JobKind::FileToTape),
    ("backupfile", JobKind::FileShareBackup),
    ("backupfilecopy", JobKind::FileShareCopy),
    ("objectstoragebackup", JobKind::ObjectStorageBackup),
    ("objectstoragebackupcopy", JobKind::ObjectStorageCopy),
    ("sqllogbackup", JobKind::LogBackup),
    ("oraclelogbackup", JobKind::LogBackup),
    ("postgresqllogbackup", JobKind::LogBackup),
    ("azurebackupjob", JobKind::CloudBackup),
    ("awsbackupjob", JobKind::CloudBackup),
    ("googlebackupjob", JobKind::CloudBackup),
    ("ahvstoragesnapshotjob", JobKind::StorageSnapshot),
    ("surebackup", JobKind::SureBackup),
    ("sobrmaintenance", JobKind::Maintenance),
];

impl JobKind {
    /// From the upstream's word, ignoring case.
    pub fn of(word: Option<&str>) -> Self {
        let word = word.map(str::trim).unwrap_or_default();
        WORDS
            .iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(word))
            .map_or(JobKind::Other, |(_, kind)| *kind)
    }
}
